import { Alert, Button, Card, Center, Code, Group, PasswordInput, Stack, Text, Title } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ask, AskError } from '../Plumbing/ask'
import { YouDocument } from '../Plumbing/asked'
import { LanguageMenu, SchemeButton } from '../Plumbing/preferences'
import { clearToken, signIn } from './token'

/** Asks for a token, and tries it before it is kept. */
export default function SignIn() {
  const { t } = useTranslation('access')
  const [typed, type] = useState('')
  const [why, setWhy] = useState<string>()
  const [isTrying, setTrying] = useState(false)

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
        <form
          onSubmit={(e) => {
            e.preventDefault()
            void tryIt()
          }}
        >
          <Stack>
            <Group justify="space-between">
              <Title order={1} size="h3">HAMi</Title>
              <Group gap={4}><LanguageMenu /><SchemeButton /></Group>
            </Group>
            <PasswordInput label={t('token')} description={t('tokenHint')} value={typed} onChange={(e) => type(e.currentTarget.value)} autoComplete="off" data-autofocus autoFocus required />
            <Text size="xs" c="dimmed">{t('tokenHow')} <Code>kubectl create token NAME -n NAMESPACE</Code></Text>
            {why && <Alert color="red" variant="light" role="alert">{t('refused', { why })}</Alert>}
            <Button type="submit" loading={isTrying} disabled={!typed.trim()}>{t('signIn')}</Button>
          </Stack>
        </form>
      </Card>
    </Center>
  )
}
