/** Where there is no device: what stands in the way is told apart, each with its remedy. */
import { createEngine, DeviceError } from "webgpu-conv";
import { afterEach, describe, expect, test, vi } from "vitest";
import * as node from "../../src/node.js";
import * as nodeInPage from "../../src/nodeInPage.js";
import { isDeno } from "../../src/api/globals.js";
import { pagePlatform, requestDevice, type RequestedDevice } from "../../src/api/platform.js";

afterEach(() => vi.unstubAllGlobals());

const CPU = /createEngine\({ backend: "cpu" }\)/;

/** What rejects. */
async function failureOf(promise: Promise<unknown>): Promise<Error> {
  const error: unknown = await promise.then(
    () => new Error("it resolved"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DeviceError);
  return error as Error;
}

describe("without navigator.gpu", () => {
  const versions = { node: "22.0.0" };
  const platforms: Readonly<Record<string, readonly [globals: object, remedy: RegExp]>> = {
    Node: [{ navigator: {}, process: { versions } }, /from "webgpu-conv\/node"/],
    "Node before it had a navigator": [{ navigator: undefined, process: { versions } }, /from "webgpu-conv\/node"/],
    Bun: [{ navigator: {}, process: { versions: { ...versions, bun: "1.3" } } }, /from "webgpu-conv\/node"/],
    Deno: [{ navigator: {}, process: { versions }, Deno: {} }, /--unstable-webgpu/],
    "an insecure page": [{ navigator: {}, process: undefined, isSecureContext: false }, /https, or from localhost/],
    "an old browser": [{ navigator: {}, process: undefined, isSecureContext: true }, /Chrome or Edge 113, Safari 26/],
    "a page with a stand-in for process": [
      { navigator: {}, process: { versions: {} }, isSecureContext: true },
      /Chrome or Edge 113/,
    ],
    "an old Electron": [
      { navigator: {}, process: { versions: { ...versions, electron: "20" } }, isSecureContext: true },
      /Chrome or Edge 113/,
    ],
  };
  test.each(Object.entries(platforms))("in %s", async (_, [globals, remedy]) => {
    for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
    const { message } = await failureOf(createEngine());
    expect(message).toMatch(remedy);
    expect(message).toMatch(CPU);
  });

  test("a caller's own device, or the CPU, need none", async () => {
    vi.stubGlobal("navigator", {});
    using engine = await createEngine({ backend: "cpu" });
    expect(engine.adapter.backend).toBe("cpu");
  });
});

describe("the entry for Node", () => {
  test("in Deno names the other", async () => {
    vi.stubGlobal("Deno", {});
    expect((await failureOf(node.createEngine())).message).toMatch(/Deno .*from "webgpu-conv"\. /);
  });

  test("in a page that a bundler made names the other, and has the same names", async () => {
    expect((await failureOf(nodeInPage.createEngine())).message).toMatch(/from "webgpu-conv"/);
    expect(() => nodeInPage.fileStore()).toThrow(/indexedDbStore/);
    expect(Object.keys(nodeInPage).sort()).toEqual(Object.keys(node).sort());
  });
});

const INFO = { vendor: "acme", architecture: "", device: "", description: "", isFallbackAdapter: false };

interface FakeAdapter {
  readonly info: typeof INFO;
  readonly limits: object;
  readonly features: ReadonlySet<string>;
  readonly requestDevice: () => Promise<unknown>;
}

const adapterThat = (requestDevice: () => Promise<unknown>, info = INFO): FakeAdapter => ({
  info,
  limits: {},
  features: new Set(),
  requestDevice,
});

/** A GPU object that gives an adapter as `find` says. */
function gpuThat(find: (options: GPURequestAdapterOptions) => FakeAdapter | null): GPU {
  const gpu: object = {
    requestAdapter: async (options: GPURequestAdapterOptions = {}) => await Promise.resolve(options).then(find),
  };
  return gpu as GPU;
}

const IN_BROWSER = { isSecureContext: true };
const request = async (gpu: GPU, globals = IN_BROWSER): Promise<RequestedDevice> =>
  await requestDevice(pagePlatform(globals, gpu), "high-performance");

describe("with navigator.gpu", () => {
  const never = new Promise(() => undefined);
  const alive = { lost: never };

  test("a device comes of the preferred adapter, or of any", async () => {
    const adapter = adapterThat(() => Promise.resolve(alive));
    expect((await request(gpuThat(() => adapter))).device).toBe(alive);
    const gpu = gpuThat(({ powerPreference }) => (powerPreference ? null : adapter));
    expect((await request(gpu)).device).toBe(alive);
  });

  const failures: Readonly<Record<string, readonly [gpu: GPU, what: RegExp]>> = {
    "no adapter": [gpuThat(() => null), /gives no adapter at all\. chrome:\/\/gpu.*driver.*on Linux/],
    "a blocked GPU": [
      gpuThat(({ forceFallbackAdapter }) =>
        forceFallbackAdapter ? adapterThat(() => never, { ...INFO, isFallbackAdapter: true }) : null,
      ),
      /no adapter but one in software, acme \(software: .*\): the GPU is blocked\. chrome:\/\/gpu/,
    ],
    "a refused adapter": [
      gpuThat(() => {
        throw new TypeError("not allowed here");
      }),
      /requestAdapter failed: TypeError: not allowed here\. chrome:\/\/gpu/,
    ],
    "a refused device": [
      gpuThat(() => adapterThat(() => Promise.reject(new Error("already consumed")))),
      /the adapter acme gives no device: Error: already consumed\. chrome:\/\/gpu/,
    ],
    "a device that is lost from the first": [
      gpuThat(() => adapterThat(() => Promise.resolve({ lost: Promise.resolve({ message: "GPU process crashed" }) }))),
      /the adapter acme gives no device that lives: GPU process crashed\. chrome:\/\/gpu/,
    ],
  };
  test.each(Object.entries(failures))("%s", async (_, [gpu, what]) => {
    const { message } = await failureOf(request(gpu));
    expect(message).toMatch(what);
    expect(message).toMatch(CPU);
  });

  test("in Deno the remedy is Deno's", async () => {
    const globals = { ...IN_BROWSER, Deno: {} };
    expect(isDeno(globals)).toBe(true);
    expect((await failureOf(request(failures["no adapter"][0], globals))).message).toMatch(/Deno needs a driver/);
  });
});
