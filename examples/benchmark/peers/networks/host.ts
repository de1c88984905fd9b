/** Where published networks run: a browser or a process of its own each time, in which no engine has run before. */
import { fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Device } from "../commandLine.js";
import { openSite } from "../host/browser.js";
import type { Answer, Question } from "./child.js";
import type { First, Steady } from "./measure.js";
import type { NetworkTask } from "./task.js";

export interface NetworksHost {
  first(task: NetworkTask, engine: string): Promise<First>;
  steady(task: NetworkTask, engines: readonly string[], rounds: number): Promise<Steady[]>;
  close(): Promise<void>;
}

export const openNetworksHost = (device: Device): Promise<NetworksHost> =>
  device === "lavapipe" ? openProcess() : openPage(device);

async function openPage(device: Exclude<Device, "lavapipe">): Promise<NetworksHost> {
  const { page, close } = await openSite(device);
  return {
    first: (task, engine) =>
      page.evaluate(
        async (given) => {
          if (!window.networks) throw new Error("the page has not loaded");
          return await window.networks.first(given.task, given.engine);
        },
        { task, engine },
      ),
    steady: (task, engines, rounds) =>
      page.evaluate(
        async (given) => {
          if (!window.networks) throw new Error("the page has not loaded");
          return await window.networks.steady(given.task, given.engines, given.rounds);
        },
        { task, engines, rounds },
      ),
    close,
  };
}

/** Characters of what a process said last. */
const MOST_TOLD = 500;

/** Mesa keeps compiled shaders on disk: in a folder that is empty at first, and goes with the process. */
async function openProcess(): Promise<NetworksHost> {
  const cache = await mkdtemp(join(tmpdir(), "webgpu-conv-shaders-"));
  const child = fork(join(import.meta.dirname, "child.ts"), {
    env: { ...process.env, MESA_SHADER_CACHE_DIR: cache },
    // What libraries greet with is told once, by the process that opened them all.
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let complaints = "";
  child.stderr?.on("data", (text) => (complaints = `${complaints}${text}`.slice(-MOST_TOLD)));
  const ask = (question: Question): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const isGone = (code: number | null): void =>
        reject(new Error(`the process ended with ${code ?? "a signal"}: ${complaints}`));
      child.once("exit", isGone);
      child.once("message", (message) => {
        child.off("exit", isGone);
        const answer = message as Answer;
        if ("problem" in answer) reject(new Error(answer.problem));
        else resolve(answer.result);
      });
      child.send(question);
    });
  return {
    first: (task, engine) => ask({ task, engine }) as Promise<First>,
    steady: (task, engines, rounds) => ask({ task, engines, rounds }) as Promise<Steady[]>,
    close: async () => {
      child.kill("SIGKILL");
      await rm(cache, { recursive: true, force: true });
    },
  };
}
