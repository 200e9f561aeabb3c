import { Alert, Button, Card, Center, Code, Group, PasswordInput, Stack, Text, Title } from '@mantine/core'
import { LogIn } from 'lucide-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ask, AskError } from '../Plumbing/ask'
import { YouDocument } from '../Plumbing/asked'
import { LanguageMenu, SchemeButton } from '../Plumbing/preferences'
import { provider, signInAddress, troubleOfReturn } from './provider'
import { clearToken, isOver, signIn } from './token'

/** Sends to the provider where there is one, or asks for a token and tries it before it is kept. */
export default function SignIn() {
  const { t } = useTranslation('access')
  const [typed, type] = useState('')
  const [why, setWhy] = useState<string>()
  const [isTrying, setTrying] = useState(false)
  const [isTyping, setTyping] = useState(!provider)
  const trouble = troubleOfReturn()

  async function tryIt() {
    setTrying(true)
    setWhy(undefined)
    try {
      await ask(YouDocument, {}, undefined, typed.trim())
      signIn(typed.trim())
    } catch (e) {
      clearToken()
      setWhy(e instanceof AskError && e.code === 'OFFLINE' ? t('unreachable') : (e as Error).message)
    } finally {
      setTrying(false)
    }
  }

  return (
    <Center mih="100dvh" p="md" component="main">
      <Card withBorder radius="md" padding="lg" w="100%" maw={460}>
        <Stack>
          <Group justify="space-between">
            <Title order={1} size="h3">HAMi</Title>
            <Group gap={4}><LanguageMenu /><SchemeButton /></Group>
          </Group>
          {isOver() && !why && <Alert color="yellow" variant="light" role="status">{t('over')}</Alert>}
          {trouble && !why && <Alert color="red" variant="light" role="alert">{t(`back.${trouble}`)}</Alert>}
          {provider && <Button component="a" href={signInAddress()} leftSection={<LogIn size={18} aria-hidden />}>{t('signInWith', { host: provider })}</Button>}
          {provider && !isTyping && <Button variant="subtle" size="compact-sm" onClick={() => setTyping(true)}>{t('withToken')}</Button>}
          {isTyping && (
            <form
              onSubmit={(e) => {
                e.preventDefault()
                void tryIt()
              }}
            >
              <Stack>
                <PasswordInput label={t('token')} description={t('tokenHint')} value={typed} onChange={(e) => type(e.currentTarget.value)} autoComplete="off" data-autofocus autoFocus required />
                {!provider && <Text size="xs" c="dimmed">{t('tokenHow')} <Code>kubectl create token NAME -n NAMESPACE</Code></Text>}
                {why && <Alert color="red" variant="light" role="alert">{t('refused', { why })}</Alert>}
                <Button type="submit" variant={provider ? 'default' : 'filled'} loading={isTrying} disabled={!typed.trim()}>{t('signIn')}</Button>
              </Stack>
            </form>
          )}
        </Stack>
      </Card>
    </Center>
  )
}
