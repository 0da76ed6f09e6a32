// The kinds of work that there are.

import { kindName } from "../words.js";

export const KINDS = [
  "depth_map.map_depth.v1",
  "depth_map.review_depth_map.v1",
  "image_generation.generate_image.v1",
  "jobs.check_worker.v1",
  "media.accept_upload.v1",
  "media.delete_media.v1",
  "media.describe_media.v1",
  "media.draw_rendition.v1",
  "media.fetch_media.v1",
  "scraper.ask_robots.v1",
  "scraper.continue_crawl.v1",
  "scraper.crawl_site.v1",
  "scraper.import_manifest.v1",
  "scraper.read_manifest.v1",
  "scraper.retry_crawl.v1",
  "scraper.schedule_crawl.v1",
  "scraper.scrape_pages.v1",
];

/** Choices of a select, the first of which means all. */
export function kindOptions(all = "All kinds") {
  return [["", all], ...KINDS.map((kind) => [kind, kindName(kind)])];
}
