// A seeded generator, so that every run visits the same flows in the same order.

export class Random {
  constructor(private state: number) {}

  /** Marsaglia's xorshift32, cut to 0..below-1. */
  below(limit: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % limit;
  }
}
