namespace Hami.Api.Commands;

/// <summary>What the verbs end with.</summary>
internal static class ExitCode
{
    public const int Fine = 0;

    /// <summary>The answer is no: something is wrong with the log, or it does not know what was asked for.</summary>
    public const int No = 1;

    /// <summary>There is no answer: the database, or a file, cannot be read.</summary>
    public const int Unanswered = 2;
}
