/** The command of the example of text detection: with a network of one layer, and with PP-OCRv4's where it is installed. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode, encode } from "fast-png";
import { createEngine } from "test-engine";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Engine } from "webgpu-conv";
import { run } from "../../../examples/detect/command.js";
import { findNetwork, NETWORK_FILE } from "../../../examples/detect/packages.js";
import { onnxFile } from "../../support/io/onnxFile.js";
import { keptLines } from "../../support/keptLines.js";

/** Bright pixels are text: a sigmoid of 12 times the sum of normalised colours. */
const BRIGHTNESS = onnxFile({
  inputs: { x: ["N", 3, "H", "W"] },
  outputs: ["y"],
  nodes: [
    { op: "Conv", inputs: ["x", "w"], outputs: ["sum"] },
    { op: "Sigmoid", inputs: ["sum"], outputs: ["y"] },
  ],
  initialisers: { w: { shape: [1, 3, 1, 1], data: [12, 12, 12] } },
});

let [folder, before] = ["", ""];
beforeAll(() => {
  // Results without a name go to the folder that the command runs in.
  before = process.cwd();
  folder = mkdtempSync(join(tmpdir(), "detect-"));
  process.chdir(folder);
  writeFileSync("network.onnx", BRIGHTNESS);
});
afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

let told: string[] = [];
beforeEach(() => {
  told = keptLines({ bars: true });
});
afterEach(() => vi.restoreAllMocks());

const detect = (words: readonly string[], network = "network.onnx"): Promise<number> =>
  run(words, { makeEngine: () => createEngine(), findNetwork: () => network });

/** Black, but for a white rectangle. */
function writeRectangle(file: string): void {
  const data = new Uint8Array(3 * 64 * 64);
  for (let y = 24; y < 32; y++) data.fill(255, 3 * (64 * y + 16), 3 * (64 * y + 48));
  writeFileSync(file, encode({ width: 64, height: 64, channels: 3, depth: 8, data }));
}

describe("with a network of one layer", () => {
  test("the text of a picture gets its box, in the table and in the file", async () => {
    writeRectangle("in.png");
    expect(await detect(["in.png", "some/out.png"])).toBe(0);
    // 32 x 8 grows by 256 * 1.5 / 80 = 4.8.
    expect(told.join("\n")).toMatch(/^ +1 +11 +19 +42 +18 +1\.000$/m);
    const { width, height, data } = decode(readFileSync("some/out.png"));
    const isFrame = (x: number, y: number): boolean => data[3 * (y * width + x)] !== data[3 * (y * width + x) + 1];
    expect([width, height]).toEqual([64, 64]);
    expect([isFrame(11, 19), isFrame(52, 36), isFrame(10, 19), isFrame(53, 36), isFrame(30, 28)]).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  test("lines of the picture that it draws are missed, which is told, and the exit status is 1", async () => {
    expect(await detect([])).toBe(1);
    expect(existsSync("out/detect.png")).toBe(true);
    expect(told.join("\n")).toMatch(/NOT FOUND +"finds lines of text".*\d of 7 found.*FAIL/s);
  });

  test("what it took on the device is given back", async () => {
    writeRectangle("in.png");
    const engine = await createEngine();
    const atEnd: number[] = [];
    const dispose = engine[Symbol.dispose].bind(engine);
    engine[Symbol.dispose] = () => {
      atEnd.push(engine.memory().liveTensors);
      dispose();
    };
    const made: Engine = engine;
    await run(["in.png", "out.png"], { makeEngine: () => Promise.resolve(made), findNetwork: () => "network.onnx" });
    expect(atEnd).toEqual([0]);
  });

  test("Ctrl-C calls it off", async () => {
    const makeEngine = async (): Promise<Engine> => {
      const engine = await createEngine();
      const compile = engine.compile.bind(engine);
      engine.compile = async (record) => {
        process.emit("SIGINT");
        return await compile(record);
      };
      return engine;
    };
    expect(await run([], { makeEngine, findNetwork: () => "network.onnx" })).toBe(130);
    expect(told.join("\n")).toContain("interrupted");
  });
});

describe("what cannot run exits with 2, before a device is looked for", () => {
  const neither = {
    makeEngine: () => Promise.reject(new Error("an engine was made")),
    findNetwork: () => {
      throw new Error("the network was installed");
    },
  };

  test.each([
    [["--fast"], "UsageError: unknown option --fast"],
    [["missing.png"], "PictureError: cannot read missing.png: there is no such file"],
  ])("%j", async (words, message) => {
    expect(await run(words, neither)).toBe(2);
    expect(told.join("\n")).toContain(message);
  });

  test("packages that npm cannot install", async () => {
    const offline = (): string =>
      findNetwork(() => {
        throw new Error("Command failed: npm ci");
      });
    expect(await run([], { ...neither, findNetwork: offline })).toBe(2);
    expect(told.join("\n")).toMatch(/InstallError: npm could not install .*expected its registry within reach, once/);
  });

  test("but --help is no error", async () => {
    expect(await run(["--help"], neither)).toBe(0);
    expect(told.join("\n")).toContain("usage: npm run example:detect");
  });
});

describe("with PP-OCRv4's detector", () => {
  if (!existsSync(NETWORK_FILE)) {
    const reason = `NOT RUN, the detector is not installed: ${NETWORK_FILE} was not found; npm run example:detect installs it`;
    console.warn(reason);
    test(reason, (context) => context.skip(reason));
    return;
  }

  // A software device compiles its 50 kernels for a minute where others work.
  test(
    "every line of the drawn picture is found, and onnxruntime-web gives the same",
    { timeout: 600_000 },
    async () => {
      expect(await detect(["--compare"], NETWORK_FILE), told.join("\n")).toBe(0);
      const words = told.join("\n");
      expect(words).toContain("7 of 7 found, 0 boxes beside them: pass");
      expect(words).toMatch(/compared with onnxruntime-web.*: pass$/m);
    },
  );
});
