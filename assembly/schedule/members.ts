// The servers of remembered destinations. A remembered server's record must not be used for another one
// meanwhile, so each mention counts as a reference, as a connection's does.

import { CONTROL_BASE, CONTROL_MEMBERS, MEMBER_BYTES, MEMBERS_BASE } from "../abi/layout";
import { Scheduler } from "../abi/enums";
import { MEMBERS_MAX } from "../abi/limits";
import { giveRecord, takeRecord } from "../base/pool";
import { Server } from "../service/server";
import { Service } from "../service/service";

const POOL: usize = <usize>CONTROL_BASE + CONTROL_MEMBERS;

/** One server of a set; the newest member is first. */
@unmanaged
export class Member {
  next: u32; //    0
  server: u32; //  4

  static at(index: u32): Member {
    return changetype<Member>(<usize>MEMBERS_BASE + <usize>index * MEMBER_BYTES);
  }
}
if (offsetof<Member>() != MEMBER_BYTES) ERROR("Member no longer fills MEMBER_BYTES");

export function holdServer(server: u32): void {
  Server.at(server).references++;
}

export function letServer(server: u32): void {
  Server.at(server).references--;
}

/** True when the set names this server. */
export function isMember(first: u32, server: u32): bool {
  for (let at = first; at != 0; at = Member.at(at).next) if (Member.at(at).server == server) return true;
  return false;
}

/** Puts a server before the others; answers the new first member, or the old one when there is no room. */
export function addMember(first: u32, server: u32): u32 {
  let at = takeRecord(POOL, MEMBERS_BASE, MEMBER_BYTES, MEMBERS_MAX);
  if (at == 0) return first;
  Member.at(at).next = first;
  Member.at(at).server = server;
  holdServer(server);
  return at;
}

/** Takes a server out; answers the first member then. */
export function removeMember(first: u32, server: u32): u32 {
  let before: u32 = 0;
  let at = first;
  while (at != 0 && Member.at(at).server != server) {
    before = at;
    at = Member.at(at).next;
  }
  if (at == 0) return first;
  let next = Member.at(at).next;
  letServer(server);
  giveRecord(POOL, MEMBERS_BASE, MEMBER_BYTES, at);
  if (before == 0) return next;
  Member.at(before).next = next;
  return first;
}

/** Lets go of all servers of a destination: one for lblc, a set for lblcr. */
export function forgetServers(service: Service, servers: u32): void {
  if (service.scheduler == <u32>Scheduler.Lblc) {
    if (servers != 0) letServer(servers);
    return;
  }
  while (servers != 0) servers = removeMember(servers, Member.at(servers).server);
}
