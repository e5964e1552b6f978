// Style sheets as modules: serve_app.api.bundle makes them what this says.
declare module "*.css" {
  const sheet: CSSStyleSheet;
  export default sheet;
}
