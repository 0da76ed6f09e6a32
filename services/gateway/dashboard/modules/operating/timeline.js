// What happened to a job, one attempt after the other.

import { eventsOf } from "../feed.js";
import { el } from "../dom.js";
import { stateIcon } from "../states.js";
import { duration, moment } from "../words.js";

const MOST = 200;
const WAITS = { pause: "; its kind rests", retry: "; waits for its next attempt", limit: "; waits for a free place" };
const TOLD = {
  "job.submitted": () => ["pending", "Handed in"],
  "job.accepted": ({ job }) => ["pending", `Taken in by its worker${waits(job)}`],
  "job.revived": () => ["pending", "Waits for its worker again: its message was delivered once more"],
  "job.started": ({ job }) => ["in_progress", `Attempt ${job.attempt} began`],
  "job.retry_scheduled": ({ job }) => [
    "retrying",
    [job.attempt ? `Attempt ${job.attempt} failed` : "Put off", ...why(job), ". The next try: ", next(job)],
  ],
  "job.cancel_requested": (news) => ["cancelled", `${news.cancelled_by} asked for its end`],
  "job.completed": () => ["completed", "Done"],
  "job.failed": ({ job }) => ["failed", ["Failed for good", ...why(job)]],
  "job.cancelled": () => ["cancelled", "Cancelled"],
};

/** Read what is kept of a job's events, up to now. */
export async function historyOf(api, id) {
  const ending = new AbortController();
  const found = [];
  let silences = 0;
  try {
    const path = `/jobs/${id}/events?types=job.*`;
    const response = await api.send("GET", path, { headers: { Accept: "text/event-stream" }, signal: ending.signal });
    for await (const event of eventsOf(response.body)) {
      if (event.news !== null) found.push(event.news);
      // The first frame says where it begins, the next empty one that everything was told.
      else if ((silences += 1) > 1) break;
    }
  } finally {
    ending.abort();
  }
  return found.filter((news) => (news.job?.id ?? news.job_id) === id && news.type in TOLD).slice(-MOST);
}

/** Tell a job's history; where its events are not kept any more, what its moments tell. */
export function timelineOf(job, history) {
  const lines = history.length ? history : remembered(job);
  const first = lines[0]?.at ?? job.created_at;
  return el(
    "ol",
    { class: "timeline" },
    lines.map((news) => {
      const [state, words] = TOLD[news.type](news);
      const when = el("span", { class: "timeline-when" }, moment(news.at), ` · after ${duration(first, news.at)}`);
      return el("li", { "data-type": news.type }, stateIcon(state), el("span", {}, words), when);
    }),
  );
}

function remembered(job) {
  const moments = [
    ["job.submitted", job.created_at],
    ["job.started", job.started_at],
    [`job.${job.state}`, job.finished_at],
  ];
  return moments.filter(([type, at]) => at && type in TOLD).map(([type, at]) => ({ type, at, job }));
}

function waits({ waiting_for: what }) {
  return WAITS[what] ?? "";
}

function next({ next_attempt_at: at }) {
  return at ? moment(at) : "soon";
}

function why({ error }) {
  return error ? [`: ${error.sentence} `, el("code", {}, error.code)] : [];
}
