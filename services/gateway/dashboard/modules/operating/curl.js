// A job as a command line: what hands the same in again, or else what looks at it.

const SPACED = /[^\w@%+=:,./-]/;

/** Give the command; the token is left out, for it would stay in histories. */
export function curlOf(job, origin) {
  const again = repeat(job);
  const root = `${origin}/api/v1`;
  if (!again) return line([`${root}/jobs/${job.id}`]);
  const [path, body] = again;
  return line(["-X", "POST", "-H", "Content-Type: application/json", "-d", JSON.stringify(body), `${root}${path}`]);
}

function repeat({ kind, request, pipeline, project_id: project }) {
  if (!request) return null;
  const home = { project_id: project };
  if (kind.startsWith("scraper.scrape_pages")) return ["/scrapes", pages(request, pipeline, home)];
  if (kind.startsWith("media.fetch_media")) return ["/media/store", { url: request.url, pipeline, ...home }];
  return null;
}

function pages({ urls, rendered }, pipeline, home) {
  return { urls, ...(rendered ? { rendered } : {}), pipeline, ...home };
}

function line(words) {
  const token = '-H "Authorization: Bearer $DIORAMA_TOKEN"';
  return ["curl -sS", token, ...words.map(quoted)].join(" ");
}

function quoted(word) {
  return SPACED.test(word) ? `'${word.replaceAll("'", `'\\''`)}'` : word;
}
