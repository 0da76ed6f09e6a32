// What jobs are about, in a few words.

/** Say in a few words what a job is about; empty where nobody noted it. */
export function subjectOf({ about, request, service, kind, image_id: imageId, result }) {
  const { description, url, urls, asset_id: assetId } = request ?? {};
  if (description) return description;
  if (url) return shortUrl(url);
  if (urls?.length) return shortUrl(urls[0]) + (urls.length > 1 ? ` and ${urls.length - 1} more` : "");
  if (about) return shortUrl(about);
  if (kind.startsWith("jobs.")) return service.replaceAll("_", " ");
  const picture = imageId ?? assetId ?? result?.asset_id;
  return picture ? `picture ${picture.slice(0, 8)}` : "";
}

function shortUrl(url) {
  return url.replace(/^https?:\/\//, "");
}
