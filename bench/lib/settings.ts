// How much is measured.

export interface Settings {
  quick: boolean;
  rounds: number;
  batches: number;
  flows: readonly number[];
  progress: (what: string) => void;
}

export function settingsOf(quick: boolean, progress: Settings["progress"]): Settings {
  return quick
    ? { quick, rounds: 5, batches: 100, flows: [1, 10_000, 64_000], progress }
    : { quick, rounds: 9, batches: 150, flows: [1, 1000, 10_000, 64_000, 1_000_000, 4_000_000], progress };
}
