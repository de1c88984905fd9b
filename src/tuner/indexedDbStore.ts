/** Tuned choices in the browser's IndexedDB. */
import { ConvError, require, show } from "../base/errors.js";
import { oneAtATime } from "./queue.js";
import type { TuningData, TuningStore } from "./store.js";

const TABLE = "tuning";
const KEY = "data";

const failure = (error: DOMException | null): Error => error ?? new Error("IndexedDB failed without a reason");

/** Opens the database. Others can change or delete it meanwhile: it closes itself for them. */
function open(name: string): Promise<IDBDatabase> {
  if (!("indexedDB" in globalThis)) {
    return Promise.reject(new ConvError("there is no IndexedDB here; expected fileStore(path), or memoryStore()"));
  }
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(name, 1);
    let given = false;
    opening.onupgradeneeded = () => void opening.result.createObjectStore(TABLE);
    opening.onblocked = () => {
      given = true;
      reject(new Error(`another page holds the database ${name} open in an older version`));
    };
    opening.onerror = () => reject(failure(opening.error));
    opening.onsuccess = () => {
      const database = opening.result;
      if (given) database.close();
      database.onversionchange = () => database.close();
      resolve(database);
    };
  });
}

/** Resolves once the transaction is complete. */
function completed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(failure(transaction.error));
  });
}

/**
 * Keeps tuned choices in this origin's IndexedDB, for pages and workers alike.
 *
 * @param name of the database
 */
export function indexedDbStore(name = "webgpu-conv"): TuningStore {
  require(typeof name === "string", () => `name is ${show(name)}; expected the name of a database`);
  const use = async <Value>(
    mode: IDBTransactionMode,
    ask: (table: IDBObjectStore) => IDBRequest<Value>,
  ): Promise<Value> => {
    const database = await open(name);
    try {
      const transaction = database.transaction(TABLE, mode);
      const request = ask(transaction.objectStore(TABLE));
      await completed(transaction);
      return request.result;
    } finally {
      database.close();
    }
  };
  return {
    load: async () => await use<unknown>("readonly", (table) => table.get(KEY) as IDBRequest<unknown>),
    save: oneAtATime(async (data: TuningData) => {
      await use("readwrite", (table) => table.put(data, KEY));
    }),
  };
}
