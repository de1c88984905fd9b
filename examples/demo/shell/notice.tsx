/** Something that the visitor should know, with what can be done about it. */
import type { ComponentChild } from "preact";

export function Notice(props: {
  readonly tone: "info" | "error";
  readonly title: string;
  readonly text: string;
  readonly actions?: ComponentChild;
}): ComponentChild {
  const { tone, title, text, actions } = props;
  return (
    <div class={`notice notice-${tone}`} role={tone === "error" ? "alert" : "status"}>
      <p>
        <strong>{title}</strong>
      </p>
      <p>{text}</p>
      {actions ? <div class="notice-actions">{actions}</div> : null}
    </div>
  );
}
