import { render } from "preact";
import "./admin.css";
import { App } from "./app.tsx";
import { followAddress } from "./navigation.ts";
import { open } from "./state.ts";

followAddress();
const root = document.getElementById("app");
if (root) render(<App />, root);
void open();
