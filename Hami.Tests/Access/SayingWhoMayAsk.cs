using Hami.Api;
using Hami.Tests.Given;

namespace Hami.Tests.Access;

/// <summary>The flags that say who may ask GraphQL.</summary>
public sealed class SayingWhoMayAsk : IDisposable
{
    private const string Oidc = "--auth-mode oidc --oidc-issuer https://login.example.org --oidc-audience hami --oidc-group admins=*";

    private readonly string _kubeconfig = Path.GetTempFileName();

    public SayingWhoMayAsk() => File.WriteAllText(_kubeconfig, ControlPlaneScene.NobodysKubeconfig);

    [Theory]
    [InlineData("--auth-mode guess", "neither kubernetes nor oidc nor none")]
    [InlineData("--auth-mode oidc", "--oidc-issuer, the https address")]
    [InlineData("--auth-mode oidc --oidc-issuer http://login.example.org --oidc-audience hami --oidc-group a=*", "the https address")]
    [InlineData("--auth-mode oidc --oidc-issuer https://login.example.org --oidc-group a=*", "needs --oidc-audience")]
    [InlineData("--auth-mode oidc --oidc-issuer https://login.example.org --oidc-audience hami", "at least one --oidc-group")]
    [InlineData("--auth-mode oidc --oidc-issuer https://login.example.org --oidc-audience hami --oidc-group a", "--oidc-group a is not GROUP=")]
    [InlineData("--auth-mode oidc --oidc-issuer https://login.example.org --oidc-audience hami --oidc-group a=*,b", "is not GROUP=")]
    [InlineData("--auth-mode oidc --oidc-issuer https://login.example.org --oidc-audience hami --oidc-group a=x --oidc-group a=y", "says twice what a sees")]
    [InlineData("--oidc-issuer https://login.example.org", "give --auth-mode oidc")]
    [InlineData("--webui-address https://hami.example.org", "give --auth-mode oidc")]
    [InlineData($"{Oidc} --oidc-client-id hami-ui --oidc-scope groups", "--oidc-client-id and --oidc-scope says how people sign in at the provider: give --webui-address")]
    [InlineData($"{Oidc} --webui-address http://hami.example.org", "no https address without a path")]
    [InlineData($"{Oidc} --webui-address https://hami.example.org/ui", "no https address without a path")]
    [InlineData($"{Oidc} --webui-address https://hami.example.org --oidc-client-secret-file /nowhere", "--oidc-client-secret-file /nowhere")]
    [InlineData($"{Oidc} --webui-address https://hami.example.org --oidc-client-secret-file /dev/null", "It is empty")]
    public void What_cannot_be_meant_stops_the_start_with_a_sentence(string flags, string sentence) =>
        Assert.Contains(Parse(flags), e => e.Contains(sentence, StringComparison.Ordinal));

    [Theory]
    [InlineData("")]
    [InlineData("--auth-mode kubernetes")]
    [InlineData("--auth-mode none")]
    [InlineData("--auth-mode oidc --oidc-issuer https://login.example.org --oidc-audience hami --oidc-group cn=gpu,ou=x=team-a,team-b --oidc-group admins=*")]
    [InlineData($"{Oidc} --webui-address https://hami.example.org --oidc-scope groups --oidc-scope email")]
    [InlineData($"{Oidc} --webui-address http://localhost:3000 --oidc-client-id hami-ui")]
    public void What_is_meant_is_taken(string flags) => Assert.Empty(Parse(flags));

    public void Dispose() => File.Delete(_kubeconfig);

    private List<string> Parse(string flags) =>
    [
        .. CommandLine.Create().Parse(["serve", "--http", "127.0.0.1:18080", "--postgres", "Host=127.0.0.1", "--kubeconfig", _kubeconfig, .. flags.Split(' ', StringSplitOptions.RemoveEmptyEntries)])
            .Errors.Select(e => e.Message),
    ];
}
