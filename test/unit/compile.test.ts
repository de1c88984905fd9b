/** What is said of a kernel that does not compile, by devices that say much, little or nothing. */
import { describe, expect, test } from "vitest";
import { DeviceError } from "webgpu-conv";
import { compile } from "../../src/gpu/pipelines/compile.js";

const TEXT = "fn a() {\none;\ntwo;\nthree;\nfour;\nfive;\n}\n";

interface Said {
  /** What the error scope around the module catches. */
  readonly scope?: string;
  readonly messages?: readonly { readonly type?: string; readonly lineNum: number; readonly message: string }[];
  /** Whether the device cannot be asked for messages. */
  readonly mute?: boolean;
}

/** As much of a device as compiling asks of it. */
function fakeDevice({ scope, messages = [], mute = false }: Said): {
  device: GPUDevice;
  given: string[];
  open: number;
} {
  const given: string[] = [];
  const getCompilationInfo = (): Promise<unknown> =>
    mute
      ? Promise.reject(new Error("lost"))
      : Promise.resolve({ messages: messages.map((message) => ({ type: "error", ...message })) });
  const fake = {
    given,
    open: 0,
    device: {
      pushErrorScope: () => {
        fake.open++;
      },
      popErrorScope: () => {
        fake.open--;
        return Promise.resolve(scope === undefined ? null : { message: scope });
      },
      createShaderModule: ({ code }: GPUShaderModuleDescriptor) => {
        given.push(code);
        return { getCompilationInfo };
      },
    } as unknown as GPUDevice,
  };
  return fake;
}

const failing = async (said: Said): Promise<DeviceError> => {
  const { device } = fakeDevice(said);
  const error: unknown = await compile(device, "k", TEXT, () => Promise.reject(new Error("no pipeline"))).catch(
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DeviceError);
  return error as DeviceError;
};

describe("compiling", () => {
  test("gives the device the text indented, and leaves no error scope open", async () => {
    const fake = fakeDevice({});
    expect(await compile(fake.device, "k", TEXT, () => Promise.resolve("done"))).toBe("done");
    expect(fake.given).toEqual(["fn a() {\n  one;\n  two;\n  three;\n  four;\n  five;\n}\n"]);
    expect(fake.open).toBe(0);
  });

  test("leaves none open either where the device throws at once", async () => {
    const fake = fakeDevice({});
    fake.device.createShaderModule = () => {
      throw new Error("at once");
    };
    await expect(compile(fake.device, "k", TEXT, () => Promise.resolve())).rejects.toThrow(
      new DeviceError("kernel k did not compile: at once"),
    );
    expect(fake.open).toBe(0);
  });
});

describe("the error", () => {
  test("cites lines, two before and after, and within the text", async () => {
    const messages = [
      { lineNum: 4, message: "three is wrong" },
      { type: "warning", lineNum: 2, message: "one is odd" },
      { lineNum: 1, message: "so is a" },
    ];
    const { message, cause } = await failing({ scope: "invalid", messages });
    expect(message).toBe(
      [
        "kernel k did not compile: line 4: three is wrong",
        "     2 |   one;",
        "     3 |   two;",
        ">    4 |   three;",
        "     5 |   four;",
        "     6 |   five;",
        "line 1: so is a",
        ">    1 | fn a() {",
        "     2 |   one;",
        "     3 |   two;",
      ].join("\n"),
    );
    expect(cause).toEqual(new Error("no pipeline"));
  });

  test("cites three of many, and takes a message without a line, or with a drawing of its own", async () => {
    const messages = [
      { lineNum: 0, message: "no entry point" },
      { lineNum: 2, message: "\nunknown one\n  ┌─ wgsl:2:1\n  │\n2 │ one;\n" },
      { lineNum: 3, message: "unknown two" },
      { lineNum: 4, message: "unknown three" },
    ];
    const { message } = await failing({ scope: "invalid", messages });
    expect(message).toMatch(/^kernel k did not compile: no entry point\nline 2: unknown one\n {5}1 \| fn a/);
    expect(message).not.toMatch(/┌|unknown three/);
    expect(message).toMatch(/\n\(4 errors\)$/);
  });

  test("says what the error scope says where there are no messages", async () => {
    expect((await failing({ scope: "invalid" })).message).toBe("kernel k did not compile: invalid");
    expect((await failing({ scope: "invalid", mute: true })).message).toBe("kernel k did not compile: invalid");
  });

  test("says why there is no pipeline where nothing is wrong with the text", async () => {
    const messages = [{ lineNum: 1, message: "not asked for" }];
    expect((await failing({ messages })).message).toBe("kernel k did not compile: no pipeline");
  });
});
