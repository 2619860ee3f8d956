// Where frames lie while the engine has them.

/** Room for a 64 KB segment with headroom; a multiple of 64 that is odd in cache lines, so that slots differ in their sets. */
export const SLOT_BYTES = 1057 * 64;
/** Slots of one pump: what one batch can hold. */
export const SLOTS = 128;
