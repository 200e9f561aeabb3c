import { Page } from '../Plumbing/Page'

export default function UsagePage() {
  return <Page title="UsagePage">{null}</Page>
}
