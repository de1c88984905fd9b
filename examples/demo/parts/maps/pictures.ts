/** Pictures and camera frames, cut to the size that the maps have. */
import builtIn from "../../../filters/picture.png?url";

export const WIDTH = 240;
export const HEIGHT = 160;

/** The middle of a source, as large as fits the maps' shape, scaled to their size. */
function paint(source: CanvasImageSource, width: number, height: number): ImageData {
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("this browser gives no 2D canvas");
  const scale = Math.min(width / WIDTH, height / HEIGHT);
  const [cutWidth, cutHeight] = [scale * WIDTH, scale * HEIGHT];
  const [left, top] = [(width - cutWidth) / 2, (height - cutHeight) / 2];
  context.drawImage(source, left, top, cutWidth, cutHeight, 0, 0, WIDTH, HEIGHT);
  return context.getImageData(0, 0, WIDTH, HEIGHT);
}

/** @throws when the file is no picture that the browser knows. */
export async function readPicture(file: Blob): Promise<ImageData> {
  const bitmap = await createImageBitmap(file);
  try {
    return paint(bitmap, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}

export async function builtInPicture(): Promise<ImageData> {
  const answer = await fetch(builtIn);
  return await readPicture(await answer.blob());
}

/** The camera, playing. Stopped by {@link stopCamera}. */
export async function openCamera(): Promise<HTMLVideoElement> {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 } }, audio: false });
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = stream;
  await video.play();
  return video;
}

export function stopCamera(video: HTMLVideoElement): void {
  const stream = video.srcObject;
  if (stream instanceof MediaStream) for (const track of stream.getTracks()) track.stop();
  video.srcObject = null;
}

/** The frame that a video shows, on the host: for a look at single pixels. */
export const snapshot = (video: HTMLVideoElement): ImageData => paint(video, video.videoWidth, video.videoHeight);
