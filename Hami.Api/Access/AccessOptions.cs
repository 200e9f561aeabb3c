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
internal sealed record OidcOptions(Uri Issuer, string Audience, string NameClaim, string GroupsClaim, IReadOnlyDictionary<string, Scope> Scopes);
