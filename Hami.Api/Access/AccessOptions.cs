namespace Hami.Api.Access;

/// <summary>Who says who asks.</summary>
internal enum AuthMode
{
    /// <summary>The API server, by reviews of tokens and of rights.</summary>
    Kubernetes,

    /// <summary>An OpenID provider, by its tokens and the groups they name.</summary>
    Oidc,

    /// <summary>Nobody: everybody sees all.</summary>
    None,
}

/// <summary>How it is found out who asks GraphQL.</summary>
/// <param name="Oidc">The provider; null in the other modes.</param>
internal sealed record AccessOptions(AuthMode Mode, OidcOptions? Oidc = null);

/// <summary>An OpenID provider, and what its groups may see.</summary>
/// <param name="GroupsClaim">The claim that lists the groups of whom the token is for.</param>
/// <param name="Scopes">What each group may see; other groups see nothing.</param>
internal sealed record OidcOptions(Uri Issuer, string Audience, string NameClaim, string GroupsClaim, IReadOnlyDictionary<string, Scope> Scopes)
{
    /// <summary>How people sign in at the provider's own page; null where they bring a token.</summary>
    public SignInOptions? SignIn { get; init; }

    /// <summary>The issuer as tokens may name it: with and without the slash at the end.</summary>
    public IReadOnlyList<string> Spellings => [Issuer.ToString(), Issuer.ToString().TrimEnd('/')];

    /// <summary>Whom a token may be meant for.</summary>
    public IReadOnlyList<string> Audiences => SignIn is { } signIn && signIn.ClientId != Audience ? [Audience, signIn.ClientId] : [Audience];
}

/// <summary>The control plane as the provider's client.</summary>
/// <param name="Address">Where people open the web UI, from which they come and to which they are sent back: scheme and host alone.</param>
/// <param name="ClientId">As the provider knows it.</param>
/// <param name="SecretFile">Where the client's secret is; null for a public client.</param>
/// <param name="Scopes">What the provider is asked for.</param>
internal sealed record SignInOptions(Uri Address, string ClientId, string? SecretFile, IReadOnlyList<string> Scopes)
{
    /// <summary>Whether browsers come over TLS, wherever it ends.</summary>
    public bool IsOverTls => Address.Scheme == Uri.UriSchemeHttps;
}
