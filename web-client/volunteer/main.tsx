import { render } from "preact";
import "./volunteer.css";
import { App } from "./app.tsx";
import { loadSettings, takeAddress, wasComputing } from "./settings.ts";
import { Volunteer } from "./volunteer.ts";

const root = document.getElementById("app");
const settings = loadSettings();
const { autoStart, invite } = takeAddress();
const volunteer = new Volunteer(settings, invite);
if (root) render(<App volunteer={volunteer} settings={settings} />, root);
if (autoStart || wasComputing()) volunteer.start();
