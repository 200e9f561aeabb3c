using System.CommandLine;
using System.CommandLine.Parsing;
using Hami.Api.Access;

namespace Hami.Api.Commands;

/// <summary>The flags that say who may ask GraphQL.</summary>
internal sealed class AccessFlags
{
    private const string All = "*";

    private readonly Option<string> _mode = Flag.OneOf("--auth-mode", "kubernetes", "kubernetes", "oidc", "none");
    private readonly Option<string?> _issuer = new("--oidc-issuer") { Description = "The OpenID provider whose tokens count, its https address, with --auth-mode oidc." };
    private readonly Option<string?> _audience = new("--oidc-audience") { Description = "Whom its tokens must be meant for." };
    private readonly Option<string> _name = new("--oidc-name-claim") { Description = "The claim that says who it is.", DefaultValueFactory = _ => "sub" };
    private readonly Option<string> _groups = new("--oidc-groups-claim") { Description = "The claim that lists their groups.", DefaultValueFactory = _ => "groups" };
    private readonly Option<string[]> _scopes = new("--oidc-group")
    {
        Description = $"What a group sees: GROUP=NAMESPACE,NAMESPACE, or GROUP={All} for everything. Given as often as there are groups; others see nothing.",
        DefaultValueFactory = _ => [],
    };

    private readonly Option<string?> _address = new("--webui-address")
    {
        Description = "Where people open the web UI, such as https://hami.example.org. With it they sign in at the provider's own page, which must know this address with /sign-in/callback.",
    };
    private readonly Option<string?> _client = new("--oidc-client-id") { Description = "The name under which the provider knows us, the audience when not given." };
    private readonly Option<string?> _secret = new("--oidc-client-secret-file") { Description = "File with our secret at the provider, read for each sign-in; a public client has none." };
    private readonly Option<string[]> _asked = new("--oidc-scope")
    {
        Description = "What the provider is asked for beside openid and profile, such as groups. Given as often as there are.",
        DefaultValueFactory = _ => [],
    };

    public AccessFlags() => _mode.Description = "Who says who asks GraphQL: kubernetes (bearer tokens, by TokenReview and SubjectAccessReview), oidc, or none (everybody sees all; for a lab).";

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_mode, _issuer, _audience, _name, _groups, _scopes, _address, _client, _secret, _asked])
            command.Options.Add(option);
        command.Validators.Add(Validate);
    }

    public AccessOptions Read(ParseResult parsed) => parsed.GetValue(_mode) switch
    {
        "none" => new(AuthMode.None),
        "oidc" => new(AuthMode.Oidc, new(
            new(parsed.GetValue(_issuer)!), parsed.GetValue(_audience)!, parsed.GetValue(_name)!, parsed.GetValue(_groups)!,
            parsed.GetValue(_scopes)!.Select(s => Scope(s)!.Value).ToDictionary(s => s.Group, s => s.Scope, StringComparer.Ordinal)) { SignIn = SignIn(parsed) }),
        _ => new(AuthMode.Kubernetes),
    };

    private SignInOptions? SignIn(ParseResult parsed) => parsed.GetValue(_address) is { } address
        ? new(new(address), parsed.GetValue(_client) ?? parsed.GetValue(_audience)!, parsed.GetValue(_secret), [.. ((string[])["openid", "profile", .. parsed.GetValue(_asked)!]).Distinct(StringComparer.Ordinal)])
        : null;

    private void Validate(CommandResult result)
    {
        var given = ((Option[])[_issuer, _audience, _scopes, _address, _client, _secret, _asked]).Where(o => result.GetResult(o) is { Implicit: false }).Select(o => o.Name).ToList();
        if (result.TextOf(_mode) is not "oidc")
        {
            if (given.Count > 0)
                result.AddError($"{string.Join(" and ", given)} says something of an OpenID provider: give --auth-mode oidc with it.");
            return;
        }
        if (!Uri.TryCreate(result.TextOf(_issuer), UriKind.Absolute, out var issuer) || (issuer.Scheme != Uri.UriSchemeHttps && !(issuer.Scheme == Uri.UriSchemeHttp && issuer.IsLoopback)))
            result.AddError("--auth-mode oidc needs --oidc-issuer, the https address of the OpenID provider.");
        if (string.IsNullOrWhiteSpace(result.TextOf(_audience)))
            result.AddError("--auth-mode oidc needs --oidc-audience: whom the tokens must be meant for, else those for others would count here.");
        var scopes = result.GetResult(_scopes)?.Tokens.Select(t => t.Value).ToList() ?? [];
        foreach (var wrong in scopes.Where(s => Scope(s) is null))
            result.AddError($"--oidc-group {wrong} is not GROUP=NAMESPACE,NAMESPACE or GROUP={All}.");
        foreach (var twice in scopes.Select(s => Scope(s)?.Group).OfType<string>().GroupBy(g => g, StringComparer.Ordinal).Where(g => g.Count() > 1))
            result.AddError($"--oidc-group says twice what {twice.Key} sees: give its namespaces in one.");
        if (scopes.Count == 0)
            result.AddError($"--auth-mode oidc needs at least one --oidc-group, else nobody sees anything: GROUP={All} is an admins' group.");
        ValidateSignIn(result);
    }

    private void ValidateSignIn(CommandResult result)
    {
        if (result.TextOf(_address) is not { } address)
        {
            var given = ((Option[])[_client, _secret, _asked]).Where(o => result.GetResult(o) is { Implicit: false }).Select(o => o.Name).ToList();
            if (given.Count > 0)
                result.AddError($"{string.Join(" and ", given)} says how people sign in at the provider: give --webui-address with it, to which they are sent back.");
            return;
        }
        if (!Uri.TryCreate(address, UriKind.Absolute, out var at) || !(at.Scheme == Uri.UriSchemeHttps || (at.Scheme == Uri.UriSchemeHttp && at.IsLoopback))
            || at.AbsolutePath != "/" || at.UserInfo.Length + at.Query.Length + at.Fragment.Length > 0)
        {
            result.AddError($"--webui-address {address} is no https address without a path, such as https://hami.example.org (http only for this machine): tokens travel there.");
        }
        if (result.TextOf(_secret) is { } secret && WhyNot.Of(() => Secret(secret)) is { } unusable)
            result.AddError($"--oidc-client-secret-file {secret}: {unusable}");
        foreach (var wrong in (result.GetResult(_asked)?.Tokens ?? []).Select(t => t.Value).Where(v => v.Length == 0 || v.Any(c => c is <= ' ' or '"' or '\\' or >= '\x7f')))
            result.AddError($"--oidc-scope \"{wrong}\" is not one scope: give the flag once for each.");
    }

    private static void Secret(string file)
    {
        if (string.IsNullOrWhiteSpace(File.ReadAllText(file)))
            throw new FormatException("It is empty.");
    }

    private static (string Group, Scope Scope)? Scope(string text)
    {
        // A group may be spelled with an equals sign, as in LDAP; a namespace may not.
        var at = text.LastIndexOf('=');
        if (at <= 0)
            return null;
        var (group, namespaces) = (text[..at], text[(at + 1)..].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
        return namespaces is [All] ? (group, Access.Scope.Everything)
            : namespaces.Length > 0 && !namespaces.Contains(All, StringComparer.Ordinal)
                ? (group, new(AllNamespaces: false, Nodes: false, namespaces.ToHashSet(StringComparer.Ordinal)))
            : null;
    }
}
