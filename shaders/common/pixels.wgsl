// Images as they come: a word a pixel, in it four bytes, red lowest (or blue, in BGRA). An offset counts bytes, so a
// tensor of pixels has the strides of one that keeps four channels last.
//
//   value = byte * scale[channel] + shift[channel]

const PIXELS: u32 = 0u; // @specialize

const PIXELS_BGRA: u32 = 2u;

fn pixelValue(word: u32, offset: u32, scale: vec4<f32>, shift: vec4<f32>) -> f32 {
  let channel = offset % 4u;
  let place = select(channel, 2u - channel, (PIXELS == PIXELS_BGRA) & (channel < 3u));
  return f32((word >> (8u * place)) & 255u) * scale[channel] + shift[channel];
}
