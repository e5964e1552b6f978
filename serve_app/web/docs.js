// Swagger UI on the page at /docs, whose script is loaded before this one; and above it the codes of problems.

const problem = document.getElementById(location.hash.slice(1)); // where the `type` of a problem points
if (problem) {
  problem.closest('details').open = true;
  problem.scrollIntoView();
}

globalThis.SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: !problem, // an address for each call; it would take that of a problem for one
  displayRequestDuration: true,
  persistAuthorization: false, // tokens are not kept
  validatorUrl: null, // nothing is asked of other servers
});
