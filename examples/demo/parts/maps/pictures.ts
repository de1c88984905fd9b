/** Pictures, cut to one size, and camera frames as they come. */
import builtIn from "../../../filters/picture.png?url";

/** In pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

export type Source = ImageData | HTMLVideoElement;

/** Of pictures. */
export const PICTURE_SIZE: Size = { width: 240, height: 160 };
/** Of camera frames, where the camera has a choice: small ones are drawn more often. */
const CAMERA_SIZE: Size = { width: 320, height: 240 };

export const sizeOf = (source: Source): Size =>
  source instanceof ImageData ? source : { width: source.videoWidth, height: source.videoHeight };

/** The middle of a source, as large as fits the shape asked for, scaled to that size. */
function paint(source: CanvasImageSource, from: Size, to: Size): ImageData {
  const canvas = new OffscreenCanvas(to.width, to.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("this browser gives no 2D canvas");
  const scale = Math.min(from.width / to.width, from.height / to.height);
  const [cutWidth, cutHeight] = [scale * to.width, scale * to.height];
  const [left, top] = [(from.width - cutWidth) / 2, (from.height - cutHeight) / 2];
  context.drawImage(source, left, top, cutWidth, cutHeight, 0, 0, to.width, to.height);
  return context.getImageData(0, 0, to.width, to.height);
}

/** @throws when the file is no picture that the browser knows. */
export async function readPicture(file: Blob): Promise<ImageData> {
  const bitmap = await createImageBitmap(file);
  try {
    return paint(bitmap, bitmap, PICTURE_SIZE);
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
  const { width, height } = CAMERA_SIZE;
  const stream = await navigator.mediaDevices.getUserMedia({
    video: { width: { ideal: width }, height: { ideal: height } },
    audio: false,
  });
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = stream;
  try {
    await video.play();
  } catch (error) {
    stopCamera(video);
    throw error;
  }
  return video;
}

export function stopCamera(video: HTMLVideoElement): void {
  const stream = video.srcObject;
  if (stream instanceof MediaStream) for (const track of stream.getTracks()) track.stop();
  video.srcObject = null;
}

/** The frame that a video shows, on the host: for a look at single pixels. */
export const snapshot = (video: HTMLVideoElement): ImageData => paint(video, sizeOf(video), sizeOf(video));
