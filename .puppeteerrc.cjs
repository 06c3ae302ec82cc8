// The browser is a system Chrome/Chromium found by scripts/find-browser.js; nothing is downloaded at install.
module.exports = { skipDownload: true };
