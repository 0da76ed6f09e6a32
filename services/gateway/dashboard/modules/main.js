// The page, put together.

import { onAddress, readAddress, writeAddress } from "./address.js";
import { Api } from "./api.js";
import { Connection } from "./connection.js";
import { Feed } from "./feed.js";
import { Gallery } from "./gallery.js";
import { Jobs } from "./jobs.js";
import { Office } from "./operating/office.js";
import { Review } from "./reviewing/review.js";
import { currentToken, forgetToken, keepToken } from "./session.js";
import { showDoor } from "./signin.js";
import { Viewer } from "./viewer.js";
import { Views } from "./views.js";
import { workDialog } from "./work.js";

/** How long the lists wait for the feed: opened first, it misses nothing that happens while they load. */
const FEED_FIRST_MS = 1_500;

const desk = document.getElementById("desk");
const actions = document.getElementById("masthead-actions");

function enter(token) {
  keepToken(token);
  location.reload();
}

function leave() {
  forgetToken();
  location.reload();
}

function work(token) {
  const api = new Api(token, (problem) => {
    feed.stop();
    forgetToken();
    for (const dialog of document.querySelectorAll("dialog")) dialog.remove();
    views.hide();
    office.close();
    actions.hidden = true;
    connection.hide();
    showDoor(desk, enter, problem);
  });
  const views = new Views();
  const gallery = new Gallery(api, { onChange: (image) => viewer.take(image) });
  const jobs = new Jobs(api, { onActive: (active) => views.showActive(active) });
  const viewer = new Viewer(api, gallery, {
    onJob: (job) => {
      writeAddress({ panel: null, open: null });
      views.show("jobs");
      jobs.look(job);
    },
  });
  const office = new Office(api);
  const review = new Review(api);
  const connection = new Connection();
  const feed = new Feed(api, {
    onNews: (news) => {
      if (news.type === "gap") return connection.outdated();
      gallery.hear(news);
      jobs.hear(news);
      office.hear(news);
      review.hear(news);
    },
    onState: (state, nextTryAt) => {
      connection.show(state, nextTryAt);
      if (state !== "live") return;
      gallery.catchUp();
      jobs.catchUp();
      review.catchUp();
    },
  });
  connection.onRetry = () => feed.wake();

  const dialog = workDialog(api);
  desk.replaceChildren(gallery.element, jobs.element, office.element);
  gallery.tools.before(review.entry);
  document.body.append(viewer.element, review.element, dialog);
  document.getElementById("new-work").addEventListener("click", () => dialog.begin());
  document.getElementById("sign-out").addEventListener("click", leave);
  actions.hidden = false;
  views.show("pictures");
  feed.start();
  connection.known(FEED_FIRST_MS).then(() => show({ gallery, jobs, office, review, viewer }));
}

/** Go past the masthead, into what is shown; a link's own way would take what is searched for out of the address. */
function skip(event) {
  event.preventDefault();
  const places = ["#office-title", "#pictures", "#jobs", "#token"].map((place) => document.querySelector(place));
  places.find((place) => place?.checkVisibility())?.focus();
}

async function show({ gallery, jobs, office, review, viewer }) {
  jobs.load();
  await gallery.follow(readAddress());
  const follow = (address) => {
    if (address.token) enter(currentToken());
    gallery.follow(address);
    review.follow(address);
    viewer.follow(address);
    office.follow(address);
  };
  onAddress(follow);
  follow(readAddress());
}

document.querySelector(".skip").addEventListener("click", skip);
const token = currentToken();
if (token) work(token);
else showDoor(desk, enter);
