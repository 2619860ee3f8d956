// Kernel settings below net.ipv4.vs, with the kernel's defaults.

import { CONTROL_BASE, CONTROL_CHANGES, CONTROL_SYSCTLS } from "./abi/layout";
import { Sysctl } from "./abi/enums";
import { SYNC_QUEUE_MAX } from "./abi/limits";

export function sysctl(name: Sysctl): u32 {
  return load<u32>(CONTROL_BASE + CONTROL_SYSCTLS + (<u32>name << 2));
}

export function setSysctl(name: u32, value: u32): void {
  store<u32>(CONTROL_BASE + CONTROL_SYSCTLS + (<u32>name << 2), value);
  settingsChanged();
}

/** What was prepared by settings, services and servers is out of date (begin/prepared.ts). */
export function settingsChanged(): void {
  store<u32>(CONTROL_BASE, load<u32>(CONTROL_BASE, CONTROL_CHANGES) + 1, CONTROL_CHANGES);
}

/** 1 while the secure_tcp defence is on: modes 2 and 3; mode 1 waits until defence/level turns it to 2. */
export function secureTcp(): u32 {
  return sysctl(Sysctl.SecureTcp) >= 2 ? 1 : 0;
}

const DAY_S: u32 = 86400;

export function initSysctls(): void {
  setSysctl(<u32>Sysctl.AmDroprate, 10);
  setSysctl(<u32>Sysctl.Amemthresh, 1024);
  setSysctl(<u32>Sysctl.ConnReuseMode, 1);
  setSysctl(<u32>Sysctl.PmtuDisc, 1);
  setSysctl(<u32>Sysctl.RunEstimation, 1);
  setSysctl(<u32>Sysctl.SnatReroute, 1);
  setSysctl(<u32>Sysctl.LblcExpiration, DAY_S);
  setSysctl(<u32>Sysctl.LblcrExpiration, DAY_S);
  setSysctl(<u32>Sysctl.SyncThreshold, 3);
  setSysctl(<u32>Sysctl.SyncPeriod, 50);
  setSysctl(<u32>Sysctl.SyncQlenMax, SYNC_QUEUE_MAX);
  setSysctl(<u32>Sysctl.SyncPorts, 1);
  setSysctl(<u32>Sysctl.SyncVersion, 1);
}
