// What whoever is signed in may see and do, so that nothing is offered that would be refused.

export class Who {
  #roles;

  constructor(me) {
    this.id = me.user_id;
    this.isOperator = me.roles.includes("operator") && me.scopes.includes("operate");
    this.isOwner = me.scopes.includes("manage") && me.memberships.some(({ role }) => role === "owner");
    this.isWriter = me.scopes.includes("write");
    this.#roles = new Map(me.memberships.map(({ project_id: project, role }) => [project, role]));
  }

  /** Whether he may change things in a project as its member. */
  writes(projectId) {
    const role = this.#roles.get(projectId);
    return this.isWriter && role !== undefined && role !== "viewer";
  }

  /** Whether he may end or repeat jobs of a project: its writers may, and operators. */
  ends(projectId) {
    return this.isWriter && (this.isOperator || this.writes(projectId));
  }
}
