// What tensors are stored as. Sums are kept in f32 whatever this is.

alias Element = f32; // @specialize
