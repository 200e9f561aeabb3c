import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import { writeNumbersIn } from '../units'
import type { en } from './en'

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'plumbing'
    resources: typeof en
    enableSelector: false
  }
}

export const languages = { en: 'English', zh: '中文' } as const

export type Language = keyof typeof languages

const key = 'hami-language'

/** The language chosen last on this device, else the first of the browser's that we have, else English. */
function firstLanguage(): Language {
  const wanted = [localStorage.getItem(key), ...navigator.languages].map((tag) => tag?.slice(0, 2).toLowerCase())
  return (wanted.find((tag) => tag && tag in languages) ?? 'en') as Language
}

async function load(language: Language): Promise<void> {
  if (i18next.hasResourceBundle(language, 'plumbing')) return
  const words = language === 'zh' ? (await import('./zh')).zh : (await import('./en')).en
  for (const [room, of] of Object.entries(words)) i18next.addResourceBundle(language, room, of)
}

export async function speak(language: Language = firstLanguage()): Promise<void> {
  if (!i18next.isInitialized)
    await i18next.use(initReactI18next).init({ lng: language, fallbackLng: false, resources: {}, ns: ['plumbing'], interpolation: { escapeValue: false }, returnNull: false })
  await load(language)
  writeNumbersIn(language === 'zh' ? 'zh-CN' : 'en')
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
  await i18next.changeLanguage(language)
}

export async function chooseLanguage(language: Language): Promise<void> {
  localStorage.setItem(key, language)
  await speak(language)
}
