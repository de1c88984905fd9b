/** How far long work is, with a button that cancels it; what went wrong once it has failed. */
import type { ComponentChild } from "preact";
import type { Task } from "../shell/useTask.js";
import { Button } from "./button.js";

export function Progress({ task, label }: { readonly task: Task; readonly label: string }): ComponentChild {
  const { running, done, note, error } = task.state;
  if (error !== undefined) {
    return (
      <p class="progress-error" role="alert">
        {error}
      </p>
    );
  }
  if (!running) return null;
  return (
    <div class="progress">
      <progress value={done} max={1} aria-label={label} />
      <span role="status">{note}</span>
      <Button kind="secondary" onPress={task.cancel}>
        Cancel
      </Button>
    </div>
  );
}
