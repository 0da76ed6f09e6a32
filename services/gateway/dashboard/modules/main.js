// The page, put together.

import { onAddress, readAddress } from "./address.js";
import { Api } from "./api.js";
import { el, unseen } from "./dom.js";
import { Feed } from "./feed.js";
import { Gallery } from "./gallery.js";
import { icon } from "./icons.js";
import { Jobs, activeWords } from "./jobs.js";
import { announce } from "./notices.js";
import { currentToken, forgetToken, keepToken } from "./session.js";
import { showDoor } from "./signin.js";
import { Viewer } from "./viewer.js";
import { workDialog } from "./work.js";
import { distance } from "./words.js";

const desk = document.getElementById("desk");
const offline = document.getElementById("offline");
const connection = document.getElementById("connection");
const views = document.getElementById("views");

/** How long lists wait for the feed: opened first, it misses nothing that happens while they load. */
const FEED_FIRST_MS = 1_500;

function begin(problem = null) {
  const token = currentToken();
  if (token) work(token);
  else showDoor(desk, enter, problem);
}

function enter(token) {
  keepToken(token);
  begin();
}

function work(token) {
  let feed = null;
  const leave = (problem) => {
    feed.stop();
    forgetToken();
    location.reload.call(location, problem);
  };
  let refused = false;
  const api = new Api(token, (problem) => {
    if (refused) return;
    refused = true;
    feed.stop();
    forgetToken();
    takeDown();
    showDoor(desk, (again) => (keepToken(again), location.reload()), problem);
  });
  const gallery = new Gallery(api, { onChange: (image) => viewer.take(image) });
  const jobs = new Jobs(api, { onActive: showActive });
  const viewer = new Viewer(api, gallery, { onJob: (job) => (show("jobs"), jobs.look(job)) });
  const dialog = workDialog(api);

  desk.replaceChildren(gallery.element, jobs.element);
  document.body.append(viewer.element, dialog);
  document.getElementById("masthead-actions").hidden = false;
  document.getElementById("new-work").onclick = () => dialog.showModal();
  document.getElementById("sign-out").onclick = () => leave();
  buildViews();

  const opened = new Promise((resolve) => {
    feed = new Feed(api, {
      onNews: (news) => (gallery.hear(news), jobs.hear(news)),
      onState: (state, nextTryAt) => {
        showConnection(state, nextTryAt, feed);
        if (state !== "connecting") resolve();
      },
    });
  });
  feed.start();
  const follow = (address) => {
    gallery.scopeTo(address.job ?? null);
    viewer.follow(address);
  };
  Promise.race([opened, new Promise((resolve) => setTimeout(resolve, FEED_FIRST_MS))]).then(async () => {
    jobs.load();
    const { job } = readAddress();
    await (job ? gallery.scopeTo(job) : gallery.reload());
    follow(readAddress());
    onAddress(follow);
  });
}
