import '@mantine/core/styles.css'
import '@mantine/dates/styles.css'
import { createTheme, MantineProvider, type CSSVariablesResolver } from '@mantine/core'
import { DatesProvider } from '@mantine/dates'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import 'dayjs/locale/zh-cn'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { useTranslation } from 'react-i18next'
import { Gate } from './Access/Gate'
import { comeBack } from './Access/provider'
import { questions } from './Plumbing/live'
import { router } from './Plumbing/router'
import { speak } from './Plumbing/words'

const nonce = document.querySelector<HTMLMetaElement>('meta[name=csp-nonce]')?.content ?? ''
// Where the library that locks scrolling behind a dialog looks for it.
Object.assign(globalThis, { __webpack_nonce__: nonce })

const theme = createTheme({
  primaryColor: 'blue',
  primaryShade: 8,
  defaultRadius: 'md',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans SC", "PingFang SC", "Microsoft YaHei", sans-serif',
})

/** Grey words, and those of light badges, stand out from what lies behind them as much as WCAG AA asks. */
const readable: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#5f6770',
    '--mantine-color-placeholder': '#6c757d',
    '--mantine-color-teal-light-color': '#066649',
    '--mantine-color-green-light-color': '#1f672e',
    '--mantine-color-orange-light-color': '#a33403',
    '--mantine-color-yellow-light-color': '#7d4300',
    '--mantine-color-orange-outline': '#a33403',
  },
  dark: { '--mantine-color-dimmed': 'var(--mantine-color-dark-1)', '--mantine-color-placeholder': '#a0a0a0' },
})

function App() {
  const { i18n } = useTranslation()
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" cssVariablesResolver={readable} getStyleNonce={() => nonce}>
      <DatesProvider settings={{ locale: i18n.language === 'zh' ? 'zh-cn' : 'en', firstDayOfWeek: 1, weekendDays: [] }}>
        <QueryClientProvider client={questions}>
          <Gate>
            <RouterProvider router={router} />
          </Gate>
        </QueryClientProvider>
      </DatesProvider>
    </MantineProvider>
  )
}

await Promise.all([comeBack(), speak()])
createRoot(document.getElementById('page')!).render(<StrictMode><App /></StrictMode>)
