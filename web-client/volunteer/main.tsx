import { render } from "preact";
import "./volunteer.css";
import { App } from "./app.tsx";
import { loadSettings, takeAddress, wasComputing } from "./settings.ts";
import { page, speak } from "./texts/current.ts";
import { Volunteer } from "./volunteer.ts";

const address = takeAddress();
const settings = { ...loadSettings(), ...address.chosen };
const volunteer = new Volunteer(settings, address.invite);
const show = (): void =>
  render(
    <App volunteer={volunteer} settings={settings} address={address} />,
    document.getElementById("app")!,
  );
if (address.autoStart || wasComputing()) volunteer.start();
// A page that cannot load the texts of its language speaks English.
const german =
  /^de\b/.test(navigator.language) && import("./texts/de/page.ts").then((texts) => speak(texts.page));
void Promise.allSettled([german]).then(() => {
  document.documentElement.lang = page.language;
  show();
});
