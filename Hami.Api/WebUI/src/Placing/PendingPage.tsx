import { Page } from '../Plumbing/Page'

export default function PendingPage() {
  return <Page title="PendingPage">{null}</Page>
}
