// What a run of the fuzzer has seen.

export interface Figures { scenarios: number; frames: number; commands: number; differing: number; unsteady: number; reboots: number }

export const NO_FIGURES: Figures = { scenarios: 0, frames: 0, commands: 0, differing: 0, unsteady: 0, reboots: 0 };

export function addFigures(one: Figures, other: Figures): Figures {
  return {
    scenarios: one.scenarios + other.scenarios, frames: one.frames + other.frames, commands: one.commands + other.commands,
    differing: one.differing + other.differing, unsteady: one.unsteady + other.unsteady, reboots: one.reboots + other.reboots,
  };
}

export function figuresText({ scenarios, frames, commands, differing, unsteady, reboots }: Figures): string {
  return `${scenarios} scenarios, ${frames} frames, ${commands} commands: `
    + `${differing} scenarios differ, ${unsteady} once only, ${reboots} times the guest was lost\n`;
}
