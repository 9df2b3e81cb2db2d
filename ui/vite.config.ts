import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** `vite build ui` writes ui/dist, which the API serves; `vite ui` proxies to a running API while developing. */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2023",
    // The API's content security policy allows no inline scripts and no data: scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": "http://127.0.0.1:8080" } },
});
