/** A button. */
import type { ComponentChild, ComponentChildren } from "preact";

export function Button(props: {
  readonly onPress: () => void;
  readonly children: ComponentChildren;
  /** "link" looks like one, in running text. */
  readonly kind?: "primary" | "secondary" | "link";
  readonly disabled?: boolean;
  /** What it does, where its text does not say. */
  readonly label?: string;
  /** Of a button that stays pressed. */
  readonly pressed?: boolean;
}): ComponentChild {
  const { onPress, children, kind = "primary", disabled = false, label, pressed } = props;
  return (
    <button
      type="button"
      class={`button button-${kind}`}
      onClick={onPress}
      disabled={disabled}
      aria-label={label}
      aria-pressed={pressed}
    >
      {children}
    </button>
  );
}
