import { Page } from '../Plumbing/Page'

export default function WorkloadsPage() {
  return <Page title="WorkloadsPage">{null}</Page>
}
