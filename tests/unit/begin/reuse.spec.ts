// A SYN on an old connection's ports: which states let it be scheduled anew.

import { ConnectionFlag, Protocol, SctpState, Sysctl, TcpState } from "../../../assembly/abi/enums";
import { Connection } from "../../../assembly/connection/connection";
import { mayReuse } from "../../../assembly/begin/reuse";
import { take } from "../../../assembly/connection/free";
import { Server } from "../../../assembly/service/server";
import { setSysctl } from "../../../assembly/sysctl";
import { freshEngine } from "../world";

function connection(protocol: Protocol, state: u32): Connection {
  let record = Connection.at(take());
  record.protocol = <u8>protocol;
  record.state = <u8>state;
  return record;
}

describe("reuse", () => {
  beforeEach(freshEngine);

  it("by default: TIME_WAIT and CLOSE, no other TCP state", () => {
    for (let state: u32 = 0; state < <u32>TcpState.Last; state++) {
      let allowed = state == <u32>TcpState.TimeWait || state == <u32>TcpState.Close;
      assert(mayReuse(connection(Protocol.Tcp, state)) == allowed, `state ${state}`);
    }
  });

  it("mode 0: never", () => {
    setSysctl(<u32>Sysctl.ConnReuseMode, 0);
    for (let state: u32 = 0; state < <u32>TcpState.Last; state++) {
      assert(!mayReuse(connection(Protocol.Tcp, state)), `state ${state}`);
    }
  });

  it("mode 2: FIN_WAIT too, when the server is never seen", () => {
    setSysctl(<u32>Sysctl.ConnReuseMode, 2);
    let half = connection(Protocol.Tcp, <u32>TcpState.FinWait);
    expect(mayReuse(half)).toBe(false);
    half.set(ConnectionFlag.NoOutput);
    expect(mayReuse(half)).toBe(true);
    setSysctl(<u32>Sysctl.ConnReuseMode, 1);
    expect(mayReuse(half)).toBe(false);
  });

  it("not while a template or a command connection holds it", () => {
    let closed = connection(Protocol.Tcp, <u32>TcpState.Close);
    closed.control = 5;
    expect(mayReuse(closed)).toBe(false);
  });

  it("SCTP: CLOSED only; UDP: never", () => {
    expect(mayReuse(connection(Protocol.Sctp, <u32>SctpState.Closed))).toBe(true);
    expect(mayReuse(connection(Protocol.Sctp, <u32>SctpState.ShutdownAckSent))).toBe(false);
    expect(mayReuse(connection(Protocol.Udp, <u32>TcpState.Close))).toBe(false);
  });

  it("any state, of a drained server, with expire_nodest_conn", () => {
    let open = connection(Protocol.Tcp, <u32>TcpState.Established);
    open.server = 3;
    Server.at(3).weight = 0;
    expect(mayReuse(open)).toBe(false);
    setSysctl(<u32>Sysctl.ExpireNodestConn, 1);
    expect(mayReuse(open)).toBe(true);
    Server.at(3).weight = 1;
    expect(mayReuse(open)).toBe(false);
  });
});
