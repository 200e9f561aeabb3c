import { Center, Loader } from '@mantine/core'
import { createContext, useContext, useEffect, type ReactNode } from 'react'
import { AskError } from '../Plumbing/ask'
import { YouDocument, type YouQuery } from '../Plumbing/asked'
import { follow, questions } from '../Plumbing/live'
import { useQuestion } from '../Plumbing/question'
import { Failed } from '../Plumbing/states'
import SignIn from './SignIn'
import { onTokenChange } from './token'

type You = YouQuery['you']

const Who = createContext<You | null>(null)

/** Who is signed in, and what they see. */
export function useYou(): You {
  const you = useContext(Who)
  if (!you) throw new Error('Only pages behind the gate know who is signed in.')
  return you
}

/** Shows the pages to who may see them; asks others to sign in. */
export function Gate({ children }: { children: ReactNode }) {
  const question = useQuestion(YouDocument, {})
  const isRefused = question.error instanceof AskError && question.error.code === 'UNAUTHENTICATED'
  const isIn = !!question.data && !isRefused
  // Another user sees nothing of what was asked for the one before.
  useEffect(() => onTokenChange(() => void questions.resetQueries()), [])
  useEffect(() => (isIn ? follow() : undefined), [isIn])
  if (isRefused) return <SignIn />
  if (question.data) return <Who value={question.data.you}>{children}</Who>
  return <Center mih="60dvh" p="md">{question.error ? <Failed error={question.error} again={() => void question.refetch()} /> : <Loader />}</Center>
}
