// as-pect's own transform has an older compiler's node numbers built in; this one hands its two member
// makers a view of each class with the numbers they expect. Unmanaged classes need no members.
import { Transform } from "assemblyscript/dist/transform.js";
import { NodeKind } from "assemblyscript";
import { createStrictEqualsMember } from "../node_modules/@as-pect/transform/lib/createStrictEqualsMember.js";
import { createAddReflectedValueKeyValuePairsMember } from "../node_modules/@as-pect/transform/lib/createAddReflectedValueKeyValuePairsMember.js";

const EXPECTED_KINDS = new Map([[NodeKind.FieldDeclaration, 54], [NodeKind.MethodDeclaration, 58]]);

function expectedMember(member) {
  return Object.create(member, { kind: { value: EXPECTED_KINDS.get(member.kind) ?? -1 } });
}

function visit(statements) {
  for (const statement of statements) {
    if (statement.kind === NodeKind.NamespaceDeclaration) visit(statement.members);
    if (statement.kind !== NodeKind.ClassDeclaration) continue;
    if ((statement.decorators ?? []).some((decorator) => decorator.name.text === "unmanaged")) continue;
    const view = Object.create(statement, { members: { value: statement.members.map(expectedMember) } });
    statement.members.push(createStrictEqualsMember(view), createAddReflectedValueKeyValuePairsMember(view));
  }
}

export default class extends Transform {
  afterParse(parser) {
    for (const source of parser.sources) visit(source.statements);
  }
}
