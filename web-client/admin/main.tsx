import { render } from "preact";
import "./admin.css";
import { App } from "./app.tsx";
import { open } from "./state.ts";

const root = document.getElementById("app");
if (root) render(<App />, root);
void open();
