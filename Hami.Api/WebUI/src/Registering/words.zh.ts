export const registering = {
  title: 'Registering',
}
