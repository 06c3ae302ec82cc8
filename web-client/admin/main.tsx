import { render } from "preact";
import "./admin.css";
import { App } from "./app.tsx";
import { followAddress } from "./navigation.ts";
import { open } from "./state.ts";
import { speak } from "./texts/current.ts";

followAddress();
const root = document.getElementById("app");
void speak().then(() => {
  if (root) render(<App />, root);
  return open();
});
