/** Absolute path of the folder with third-party test vectors (set in vite.config.ts). */
declare const __CORPORA__: string;

/** The environment's CONV_SEED and CONV_COUNT, for the tests over random problems; empty where not set. */
declare const __CONV_SEED__: string;
declare const __CONV_COUNT__: string;

/** The seed of a short run's sample (the environment's CONV_SAMPLE); empty where all tests are run. */
declare const __CONV_SAMPLE__: string;

/** Of how many groups of tests a short run takes one (the environment's CONV_ONE_GROUP_IN): 1 takes something of each. */
declare const __CONV_ONE_GROUP_IN__: number;

/** A file of which a sample takes every test (the environment's CONV_WHOLE_FILE); empty where there is none. */
declare const __CONV_WHOLE_FILE__: string;

/** What a sample's tests speak of, in their names or their groups': float16, say; empty where they are of everything. */
declare const __CONV_ABOUT__: string;

/** The seed by which platforms take turns in a whole run of all (the environment's CONV_TURNS, test/support/turns.ts); empty: none do. */
declare const __CONV_TURNS__: string;

/** How many random layers this platform checks by default. */
declare const __CONV_LAYERS__: number;

/** The variant of a family of layers that this platform runs by every solver on a software device. */
declare const __CONV_VARIANT__: "plain" | "odd";

/** The engine of the platform that the tests run on (aliased in vite.config.ts). */
declare module "test-engine" {
  export { createEngine } from "webgpu-conv/node";
}
