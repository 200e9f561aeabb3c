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

    public AccessFlags() => _mode.Description = "Who says who asks GraphQL: kubernetes (bearer tokens, by TokenReview and SubjectAccessReview), oidc, or none (everybody sees all; for a lab).";

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_mode, _issuer, _audience, _name, _groups, _scopes])
            command.Options.Add(option);
        command.Validators.Add(Validate);
    }

    public AccessOptions Read(ParseResult parsed) => parsed.GetValue(_mode) switch
    {
        "none" => new(AuthMode.None),
        "oidc" => new(AuthMode.Oidc, new(
            new(parsed.GetValue(_issuer)!), parsed.GetValue(_audience)!, parsed.GetValue(_name)!, parsed.GetValue(_groups)!,
            parsed.GetValue(_scopes)!.Select(s => Scope(s)!.Value).ToDictionary(s => s.Group, s => s.Scope, StringComparer.Ordinal))),
        _ => new(AuthMode.Kubernetes),
    };

    private void Validate(CommandResult result)
    {
        var given = ((Option[])[_issuer, _audience, _scopes]).Where(o => result.GetResult(o) is { Implicit: false }).Select(o => o.Name).ToList();
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
