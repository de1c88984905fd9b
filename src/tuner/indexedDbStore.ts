/** Tuned choices in the browser's IndexedDB. */
import type { TuningData, TuningStore } from "./store.js";

const TABLE = "tuning";
const KEY = "data";

function settled<Value>(request: IDBRequest<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB failed without a reason"));
  });
}

/**
 * Keeps tuned choices in this origin's IndexedDB, for pages and workers alike.
 *
 * @param name of the database
 */
export function indexedDbStore(name = "webgpu-conv"): TuningStore {
  const use = async <Value>(
    mode: IDBTransactionMode,
    ask: (table: IDBObjectStore) => IDBRequest<Value>,
  ): Promise<Value> => {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => void opening.result.createObjectStore(TABLE);
    const database = await settled(opening);
    try {
      return await settled(ask(database.transaction(TABLE, mode).objectStore(TABLE)));
    } finally {
      database.close();
    }
  };
  return {
    load: async () => await use<unknown>("readonly", (table) => table.get(KEY) as IDBRequest<unknown>),
    save: async (data: TuningData) => {
      await use("readwrite", (table) => table.put(data, KEY));
    },
  };
}
