/** A font of capitals, 3 x 5 pixels each, enough to label pictures. */

export const GLYPH_WIDTH = 3;
export const GLYPH_HEIGHT = 5;

/** Five rows of three pixels, an octal digit a row, the leftmost pixel its highest bit. */
const ROWS: Readonly<Record<string, string>> = {
  A: "25755",
  B: "65656",
  C: "34443",
  D: "65556",
  E: "74647",
  F: "74644",
  G: "34553",
  H: "55755",
  I: "72227",
  J: "11152",
  K: "55655",
  L: "44447",
  M: "57755",
  N: "65555",
  O: "25552",
  P: "65644",
  Q: "25563",
  R: "65655",
  S: "34216",
  T: "72222",
  U: "55557",
  V: "55552",
  W: "55775",
  X: "55255",
  Y: "55222",
  Z: "71247",
  "-": "00700",
};

/** Calls `paint` for every pixel that the text covers, from its upper left corner. Unknown characters stay blank. */
export function drawText(text: string, paint: (x: number, y: number) => void): void {
  Array.from(text.toUpperCase()).forEach((character, index) => {
    Array.from(ROWS[character] ?? "").forEach((row, y) => {
      for (let x = 0; x < GLYPH_WIDTH; x++) {
        if ((Number(row) >> (GLYPH_WIDTH - 1 - x)) & 1) paint(index * (GLYPH_WIDTH + 1) + x, y);
      }
    });
  });
}
