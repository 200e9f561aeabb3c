import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// While developing: `npm run dev` with the API that HAMI_API names, such as http://localhost:8080.
const api = process.env.HAMI_API ?? 'http://localhost:8080'

export default defineConfig({
  plugins: [react()],
  server: { proxy: { '/graphql': api } },
  build: {
    target: 'es2022',
    // Nothing in data: addresses: the content security policy allows files of this host alone.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 600,
  },
})
